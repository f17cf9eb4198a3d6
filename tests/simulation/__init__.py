"""The whole exchange in one thread, on a virtual clock, network and disk, driven by one seed.

What runs is the real thing: conversations, publisher, sequencer, decider, projections, recovery and the event store.
What surrounds them is played: clients that trade, repeat themselves, talk nonsense, stop reading, vanish and come
back; commits that take their time, fail, or leave their outcome unknown; crashes and restarts. Every choice comes from
one `random.Random(seed)`, so a seed is a whole history, and a red run is repeated by its seed:

    python -m tests.simulation --seed 17 --steps 300

    market          the contracts and the users
    storage         the log's writer without its thread: entries wait until the simulator commits them
    network         one connection: frames on their way, in both directions
    life            one life of the exchange's process, from recovery to its end
    client          a client program: a mirror, what it sent, what it was told
    dialects        both dialects, as a client reads them
    talk            what clients say
    world           all of these together, and everything that can happen between them
    client_actions, machine_actions, actions
                    what happens next, by weighted choice
    rest            everything settles: what was said is heard, what was decided is durable
    oracle          the log read by somebody who trusts nobody: decides it again, folds it, pictures every view
    conservation    money, lots, and what state and views must agree on
    laws, broken    what is checked of every frame, of every step, and at rest; how a broken law is told
    run             one seed from beginning to end

`room` uses the same exchange for tests of single conversations, `rewriting` switches deliberate mistakes on.
"""
