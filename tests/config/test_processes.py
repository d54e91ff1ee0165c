"""What each engine puts into the environment, and what follows from it."""

import pytest

from nnjax.config.errors import ConfigError
from nnjax.config.processes import Processes, detect

SRUN = {"SLURM_JOB_ID": "7", "SLURM_STEP_ID": "0", "SLURM_STEP_NODELIST": "n[1-2]", "SLURM_PROCID": "1", "SLURM_LOCALID": "0"}
POD = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "JOB_COMPLETION_INDEX": "2"}
FOUND = {
    "nothing": ({}, Processes()),
    "our launcher": (
        {"NNJAX_RANK": "1", "NNJAX_PROCESSES": "2", "NNJAX_COORDINATOR": "127.0.0.1:5000", "NNJAX_LOCAL_RANK": "1"},
        Processes(1, 2, "nnjax", "127.0.0.1:5000", None, 1),
    ),
    "by hand": (
        {"NNJAX_RANK": "0", "NNJAX_PROCESSES": "2", "NNJAX_COORDINATOR": "node:5000"},
        Processes(0, 2, "NNJAX_PROCESSES=2", "node:5000"),
    ),
    "Open MPI 4": (
        {
            "OMPI_COMM_WORLD_SIZE": "4",
            "OMPI_COMM_WORLD_RANK": "3",
            "OMPI_COMM_WORLD_LOCAL_RANK": "1",
            "OMPI_MCA_orte_hnp_uri": "1;tcp://10.0.0.1:1",
        },
        Processes(3, 4, "Open MPI", None, "ompi", 1),
    ),
    "mpirun -np 1": ({"OMPI_COMM_WORLD_SIZE": "1", "OMPI_COMM_WORLD_RANK": "0"}, Processes()),
    "srun": ({**SRUN, "SLURM_STEP_NUM_TASKS": "2", "SLURM_NTASKS": "8"}, Processes(1, 2, "Slurm", None, "slurm")),
    "srun -n 1": ({**SRUN, "SLURM_STEP_NUM_TASKS": "1", "SLURM_PROCID": "0", "SLURM_NTASKS": "8"}, Processes()),
    "sbatch script": ({"SLURM_JOB_ID": "7", "SLURM_NTASKS": "8", "SLURM_PROCID": "0", "SLURM_LOCALID": "0"}, Processes()),
    "Indexed Job": (
        {**POD, "JAX_NUM_PROCESSES": "4", "JAX_COORDINATOR_ADDRESS": "train-0.train"},
        Processes(2, 4, "Kubernetes", "train-0.train:55527"),
    ),
    "independent pods": (POD, Processes()),
    "TPU pod": ({"TPU_WORKER_ID": "1", "TPU_WORKER_HOSTNAMES": "a,b"}, Processes(1, 2, "TPU pod", None, "gketpu")),
    "one TPU machine": ({"TPU_WORKER_ID": "0", "TPU_WORKER_HOSTNAMES": "localhost"}, Processes()),
    "MPICH": (
        {"PMI_RANK": "1", "PMI_SIZE": "2", "JAX_COORDINATOR_ADDRESS": "node:1"},
        Processes(1, 2, "MPI", "node:1", "mpi4py"),
    ),
}
REFUSED = {
    "NNJAX_COORDINATOR": {"NNJAX_RANK": "0", "NNJAX_PROCESSES": "2"},
    "NNJAX_RANK=x": {"NNJAX_RANK": "x", "NNJAX_PROCESSES": "2"},
    "process 4 of 4": {"OMPI_COMM_WORLD_SIZE": "4", "OMPI_COMM_WORLD_RANK": "4"},
    "JAX_NUM_PROCESSES": {**POD, "JAX_COORDINATOR_ADDRESS": "train-0.train"},
    "JAX_COORDINATOR_ADDRESS": {**POD, "JAX_NUM_PROCESSES": "4"},
}


@pytest.mark.parametrize("name", FOUND)
def test_the_environment_says_which_process_this_is(name):
    environ, expected = FOUND[name]
    assert detect(environ) == expected


@pytest.mark.parametrize("named", REFUSED)
def test_variables_that_do_not_go_together_are_refused_by_name(named):
    with pytest.raises(ConfigError, match=named):
        detect(REFUSED[named])
