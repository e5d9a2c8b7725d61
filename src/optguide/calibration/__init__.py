"""What goes into quantization, checked before NNCF sees it.

NNCF 3.4 takes much without a word and returns a model that runs and answers nonsense: samples with NaN or
infinity, samples that are all zero, ``None`` in place of a sample, images of integers for an input of floats.
A model that is quantized already it quantizes once more, and one without a layer to quantize it returns as it
was. What it does refuse, it often refuses in the words of the runtime below it. The two functions here say it
first; what they let pass stays NNCF's to judge::

    quantizable(model)
    nncf.quantize(model, nncf.Dataset(checked(model, samples)))
"""

from optguide.calibration.models import quantizable
from optguide.calibration.samples import checked

__all__ = ["checked", "quantizable"]
