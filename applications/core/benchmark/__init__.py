"""How fast our layers are beside their peers: contestants that take turns, each in a process of its own.

| file          | holds                                                                           |
|---------------|---------------------------------------------------------------------------------|
| `case`        | what is timed: a layer of a peer on a backend, its shape, its step              |
| `contestants` | how a case becomes a compiled step, in the worker                               |
| `worker`      | a process that has imported one peer and forks a worker for each case           |
| `driver`      | starts the workers and lets them take turns                                     |
| `numbers`     | medians, ratios, spread                                                         |
| `targets`     | the numbers to reach                                                            |
| `suites`      | which cases are compared, for each number to reach                              |
| `report`      | rows with verdicts, tables, JSON, the machine                                   |
| `command`     | arguments in, results out: `scripts/benchmark.py`                               |
"""
