"""What the tests of the page and of the window share."""

from .checks import Checks, until
from .picture import CONTOUR, LANDMARK, REGION, Clip, Picture, distance, drawn
from .program import TALKER, Facemark, help_of, work_folder
