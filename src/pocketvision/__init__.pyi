from pocketvision import errors as errors
from pocketvision.call import fit as fit
from pocketvision.call import plan as plan
from pocketvision.cost.budget import Budget as Budget
from pocketvision.cost.count import count as count
from pocketvision.export.verify import verify_file as verify
from pocketvision.model.network import build as build
from pocketvision.model.resolve import resolve as resolve
from pocketvision.run.predictor import load as load

__all__ = ["Budget", "__version__", "build", "count", "errors", "fit", "load", "plan", "resolve", "verify"]
__version__: str
