"""What bench.py is made of. Read figures.py (what the numbers mean), world.py (the programs), then the parts."""
