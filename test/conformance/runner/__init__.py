"""What runner.py is made of.

  located, shape, scenario   reading the YAML files, with errors by file and line
  nats                       a connection to nats-server, and what the account needs of JetStream
  processes                  nats-server, daemon, drivers
  account                    what was published, begun, ended, and what the server was told; the rules every scenario keeps
  play, steps                one scenario with one language
  languages, matrix, main    all of them
"""
