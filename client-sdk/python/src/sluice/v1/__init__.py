"""The contract, as protobuf generated it."""
