"""docs/clusters.md: its files are well formed, each command is run by a test, and its links lead somewhere."""

import re
import subprocess

import pytest
import yaml
from clusters_page import PAGE, commands, files

RUN_BY = {
    "mpirun -np 2 python -m experiments.train model=fnn data=digits": "test_one_run.py",
    "python -m experiments.train -m hydra/launcher=joblib seed=range(8)": "test_joblib.py",
    "python -m experiments.train -m hydra/launcher=joblib hydra.launcher.n_jobs=2 seed=range(8)": "test_joblib.py",
    "python -m experiments.train -m hydra/launcher=submitit_slurm hydra.launcher.timeout_min=240 "
    "hydra.launcher.cpus_per_task=4 seed=range(8)": "test_sweeps.py",
    "python -m experiments.train -m hydra/launcher=submitit_local hydra.launcher.timeout_min=240 seed=0,1": "test_sweeps.py",
}


def test_every_command_has_its_test():
    assert [line for line in commands() if not line.startswith("pip install -e '.[")] == list(RUN_BY)
    assert all(list(PAGE.parents[1].glob(f"tests/*/{name}")) for name in RUN_BY.values())


def test_links_lead_somewhere():
    for link in re.findall(r"\]\(([^)]+)\)", PAGE.read_text()):
        name, _, anchor = link.partition("#")
        path = PAGE.parent / name if name else PAGE
        assert path.exists(), link
        if anchor:
            titles = re.findall(r"^#+ (.*)$", path.read_text(), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in titles}, link


def test_the_extras_that_are_named_exist():
    project = (PAGE.parents[1] / "pyproject.toml").read_text()
    named = set(re.findall(r"pip install -e '\.\[(\w+)\]'", PAGE.read_text()))
    assert named == {"joblib", "submitit", "ray", "tpu"}
    assert all(re.search(rf"^{name} = \[", project, re.MULTILINE) for name in named)


def test_the_job_file_is_a_script():
    text = files()["train.sbatch"]
    assert text.startswith("#!/bin/bash\n#SBATCH ")
    subprocess.run(["bash", "-n"], input=text, text=True, check=True)


def test_the_program_for_ray_compiles():
    compile(files()["ray_train.py"], "ray_train.py", "exec")


def test_the_pods_of_the_job_find_each_other():
    service, job = yaml.safe_load_all(files()["job.yaml"])
    name, spec = job["metadata"]["name"], job["spec"]
    pod = spec["template"]["spec"]
    (container,) = pod["containers"]
    environment = {entry["name"]: entry["value"] for entry in container["env"]}
    assert spec["completionMode"] == "Indexed"
    assert environment["JAX_NUM_PROCESSES"] == str(spec["completions"]) == str(spec["parallelism"])
    assert environment["JAX_COORDINATOR_ADDRESS"].partition(":")[0] == f"{name}-0.{service['metadata']['name']}"
    assert pod["subdomain"] == service["metadata"]["name"]
    assert service["spec"]["clusterIP"] == "None"
    assert service["spec"]["selector"] == {"job-name": name}  # the label that Kubernetes gives to a job's pods
    assert {rule["onExitCodes"]["containerName"] for rule in spec["podFailurePolicy"]["rules"] if "onExitCodes" in rule} == {
        container["name"]
    }
    assert {mount["name"] for mount in container["volumeMounts"]} == {volume["name"] for volume in pod["volumes"]}


@pytest.mark.engines
@pytest.mark.parametrize("version", ["1.31", "1.37"])
def test_the_job_keeps_to_the_schema_of_kubernetes(version):
    import kubernetes_validate

    documents = list(yaml.safe_load_all(files()["job.yaml"]))
    for document in documents:
        kubernetes_validate.validate(document, version, strict=True)
    documents[1]["spec"]["completionsMode"] = documents[1]["spec"].pop("completionMode")
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(documents[1], version, strict=True)
