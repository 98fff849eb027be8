"""A test for any cluster.

kube.py        kubectl and helm, as commands
lab.py         what is installed: a namespace, a nats-server, the example chart
timeline.py    when the containers of a pod ended, as the API server tells
scenarios.py   how pods are ended
main.py        from the command line to the table
"""
