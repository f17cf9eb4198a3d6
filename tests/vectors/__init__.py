"""Vectors: documents, patches and real frames with what they must lead to, for every program that keeps a mirror.

    merge.json              {"name", "target", "patch", "result"} each: RFC 7396, and what its appendix leaves out
    steps_<dialect>.json    {"about", "dialect", "frames": [{"frame", "tree", "version"}]}: what one client was sent
                            over several connections, and the tree and the version it holds after each frame

The Python mirror, the TypeScript mirror and the server's own merge are all held against the same files. They are made
by `python -m tests.vectors`, the same bytes each time, and a test fails where a file is not what is made.

    cases       the documents and patches
    session     the conversation that the frames are of
    files       the files' bytes, and where they lie
"""
