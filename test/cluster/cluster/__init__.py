"""A test for any cluster.

kube.py        kubectl and helm, as commands
lab.py         what is installed: a namespace, a nats-server, the example chart
nats.py        the nats-server, whose users can change
image.py       what must be in Sluice's image, and what must not
timeline.py    when the containers of a pod ended, as the API server tells
scenarios.py   how pods are ended, and what changes under them
main.py        from the command line to the table
"""
