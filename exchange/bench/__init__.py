"""`exchange bench`: how fast this exchange is on this machine, beside what the machine itself can do in the same run.

Begin with `suite`: it lets each measurement run some rounds and gathers their figures. A measurement is a module of
its own that adds figures by name; the load on sockets comes from a process of its own (`load`), so that the client is
not what is measured.
"""
