"""Neural network layers. Each is a Module that is called with one example: `jax.vmap` makes it take a batch."""

from ._conv import Conv as Conv
from ._conv import Conv1d as Conv1d
from ._conv import Conv2d as Conv2d
from ._conv import Conv3d as Conv3d
from ._conv_transpose import ConvTranspose as ConvTranspose
from ._conv_transpose import ConvTranspose1d as ConvTranspose1d
from ._conv_transpose import ConvTranspose2d as ConvTranspose2d
from ._conv_transpose import ConvTranspose3d as ConvTranspose3d
from ._dropout import Dropout as Dropout
from ._gru import GRUCell as GRUCell
from ._identity import Identity as Identity
from ._lambda import Lambda as Lambda
from ._linear import Linear as Linear
from ._lstm import LSTMCell as LSTMCell
from ._mlp import MLP as MLP
from ._prelu import PReLU as PReLU
from ._sequential import Sequential as Sequential
from ._stateful import StatefulLayer as StatefulLayer
