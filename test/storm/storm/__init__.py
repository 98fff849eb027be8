"""The storm: rolling restarts of pods with real daemons and apps, under load, on a real nats-server.

account.py    what became of each message
kubelet.py    how Kubernetes starts and ends a pod, natively and classically, on processes
load.py       what is published
pods.py       what runs in a pod: a daemon and an app, or an app on nats.go
restarts.py   one after the other, and the faults in between
rows.py       the rows of the table
main.py       from the command line to the table
"""
