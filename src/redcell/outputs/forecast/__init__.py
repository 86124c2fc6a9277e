"""A forecast for people and programs: the JSON object, its sentences, its text pages.

Every part takes the plain numbers of `redcell.prediction`; none of them knows the model.
"""

from redcell.outputs.forecast.data import forecast_dict, forecast_json
from redcell.outputs.forecast.page import forecast_page
from redcell.outputs.forecast.what_if import what_if_dict, what_if_json, what_if_page
from redcell.outputs.forecast.words import Words

__all__ = [
    "Words",
    "forecast_dict",
    "forecast_json",
    "forecast_page",
    "what_if_dict",
    "what_if_json",
    "what_if_page",
]
