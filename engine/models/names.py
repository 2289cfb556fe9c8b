"""The names of what a perceptron can be made of: for settings and pages, which do not import torch."""

ACTIVATIONS = ("linear", "step", "sigmoid", "tanh", "relu", "leaky", "elu", "gelu", "silu", "softplus")
LOSSES = ("squared", "logistic", "softmax")
OPTIMISERS = ("sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adam", "adamw")
