"""What a perceptron can be made of, by name, for settings and pages that know no torch."""

ACTIVATIONS = ("linear", "step", "sigmoid", "tanh", "relu", "leaky", "elu", "gelu", "silu", "softplus")
LOSSES = ("squared", "logistic", "softmax")
OPTIMISERS = ("sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adam", "adamw")
