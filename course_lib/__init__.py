"""The library of the course "From Convolution to VGG": nets, tracing, data and training, made to be read.

Read it in this order: `vgg`, `alexnet`, `zfnet`, `googlenet`, `resnet` (the nets), `weights` (what fills them),
`receptive_field` and `trace` (what a net does to shapes and windows), `data` and `folders`, `train` (the loop),
`distributed` (the loop in several processes), `recipes`.
"""

from .alexnet import alexnet
from .data import fashion_mnist
from .dense import convolutionalize
from .folders import image_folder
from .googlenet import googlenet
from .resnet import resnet
from .trace import trace
from .train import evaluate, fit
from .vgg import VGG_CONFIGS, vgg, vgg_block
from .weights import initialise, load_official, preinitialise
from .zfnet import zfnet

__all__ = ["vgg_block", "vgg", "VGG_CONFIGS", "alexnet", "zfnet", "googlenet", "resnet", "initialise",
           "preinitialise", "load_official", "convolutionalize", "trace", "fashion_mnist", "image_folder", "fit",
           "evaluate"]
