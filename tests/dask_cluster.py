"""A Dask cluster on this machine, for tests: real processes, real connections."""

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

from mobile_export import environment
from mobile_export.planning import keys


@contextlib.contextmanager
def dask_cluster(workers: int = 2) -> Iterator[tuple[str, Any]]:
    """The address of a scheduler with workers, each a process of its own; and the cluster."""
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=":0") as cluster:
        if workers:
            with distributed.Client(cluster, set_as_default=False) as client:
                environment.code_version.cache_clear()  # all look at our code at once, whoever is editing it
                keys.versions([])
                client.run(keys.versions, [])
        yield cluster.scheduler_address.replace("tcp://", "dask://"), cluster
