"""Checks pairs of values of any verb's config, by the checks of its kind.

plan = check(compose_train(["model=fnn"]), origins)       # a Plan; None for a verb that does not train
"""

from collections.abc import Callable
from typing import Any

from nnjax.checks.compare_checks import check_compare
from nnjax.checks.experiment_checks import check_config
from nnjax.checks.export_checks import check_export
from nnjax.checks.forecast_checks import check_forecast
from nnjax.checks.netlab_checks import check_netlab
from nnjax.checks.neuron_checks import check_neuron
from nnjax.checks.plan import Plan
from nnjax.checks.predict_checks import check_predict
from nnjax.checks.report_checks import check_report
from nnjax.checks.search_checks import check_search
from nnjax.checks.trace_checks import check_trace
from nnjax.checks.traffic_checks import check_traffic
from nnjax.checks.worksheet_checks import check_worksheet
from nnjax.config.compare_options import CompareConfig
from nnjax.config.export_options import ExportConfig
from nnjax.config.forecast_options import ForecastConfig
from nnjax.config.netlab_options import NetlabConfig
from nnjax.config.parsing import Origins
from nnjax.config.predict_options import PredictConfig
from nnjax.config.report_options import ReportConfig
from nnjax.config.schema import Config, NeuronConfig, TraceConfig
from nnjax.config.search_options import SearchConfig
from nnjax.config.traffic_options import TrafficConfig
from nnjax.config.worksheet_options import WorksheetConfig

_CHECKS: tuple[tuple[type, Callable[[Any, Origins], None]], ...] = (
    (TrafficConfig, check_traffic),
    (SearchConfig, check_search),
    (ForecastConfig, check_forecast),
    (NetlabConfig, check_netlab),
    (NeuronConfig, check_neuron),
    (PredictConfig, check_predict),
    (ExportConfig, check_export),
    (ReportConfig, check_report),
)


def check(config: object, origins: Origins) -> Plan | None:
    """Checks pairs of values of any verb's config.

    Returns:
        The plan of the training or trace; None for another verb.

    Raises:
        IncompatibleError: for values that do not go together.
    """
    plan = check_config(config, origins) if isinstance(config, Config) else None
    if isinstance(config, WorksheetConfig) and plan is not None:
        check_worksheet(config, origins, plan.spec)
    elif isinstance(config, TraceConfig) and plan is not None:
        check_trace(config, origins, plan.spec)
    for kind, check_kind in _CHECKS:
        if isinstance(config, kind):
            check_kind(config, origins)
    if isinstance(config, CompareConfig):
        check_compare(config)
    return plan
