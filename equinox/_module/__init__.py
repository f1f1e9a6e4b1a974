"""What a Module is: making the class, its fields, flattening, bound methods, abstract attributes."""

from .abstract import AbstractClassVar as AbstractClassVar
from .abstract import AbstractVar as AbstractVar
from .bound_method import BoundMethod as BoundMethod
from .fields import field as field
from .fields import static_field as static_field
from .module import Module as Module
from .partial import Partial as Partial
from .strict import StrictConfig as StrictConfig
from .wrapper import module_update_wrapper as module_update_wrapper
