"""Weights as others save them."""


def bare(encoder):
    return {key.removeprefix("body."): value.clone() for key, value in encoder.state_dict().items()}
