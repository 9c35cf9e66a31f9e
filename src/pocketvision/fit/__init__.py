"""The main job from top to bottom: images in, one verified file out.

`pocketvision.fit` is this package and, called, the job itself: whichever was imported first, `pv.fit("photos/", out="run/")`
works. See `pocketvision.fit.call.fit` for its arguments.
"""

import sys
from types import ModuleType
from typing import Any


class _Callable(ModuleType):
    def __call__(self, *arguments: Any, **options: Any) -> Any:
        from pocketvision.fit.call import fit

        return fit(*arguments, **options)


sys.modules[__name__].__class__ = _Callable
