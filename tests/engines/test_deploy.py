"""deploy/: the image holds what serving needs and no more, and Kubernetes asks the server what it answers."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from nnjax.config.serve_options import TOKEN_VARIABLE, ServerSettings
from nnjax.serving.__main__ import _parser

ROOT = Path(__file__).parents[2]
DOCKERFILE = ROOT / "deploy" / "Dockerfile"
MANIFEST = ROOT / "deploy" / "kubernetes.yaml"


def instructions():
    """The Dockerfile's instructions, as (word, rest)."""
    text = re.sub(r"^#.*\n", "", DOCKERFILE.read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    return [tuple(line.split(maxsplit=1)) for line in text.splitlines() if line.strip()]


def the(word):
    """The only instruction with a word."""
    (rest,) = [rest for name, rest in instructions() if name == word]
    return rest


def container():
    deployment, _ = yaml.safe_load_all(MANIFEST.read_text())
    (only,) = deployment["spec"]["template"]["spec"]["containers"]
    return only


def test_the_image_holds_the_packages_of_serving_and_no_others():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needed = [line for line in project["dependencies"] if re.match(r"(jax|numpy|pillow)\b", line)]
    listed = [line for line in (ROOT / "deploy" / "requirements.txt").read_text().splitlines() if not line.startswith("#")]
    assert len(needed) == 3
    assert listed == needed + project["optional-dependencies"]["serve"]


def test_the_build_copies_files_that_are_there_and_not_ignored():
    ignored = (DOCKERFILE.parent / "Dockerfile.dockerignore").read_text().splitlines()
    assert ignored[1] == "*"
    copied = [shlex.split(rest) for word, rest in instructions() if word == "COPY" and "--from" not in rest]
    sources = [name for words in copied for name in words[:-1] if not name.startswith("--") and name != "${MODEL}"]
    assert all((ROOT / name).exists() for name in sources)
    assert {f"!{name}" for name in sources} == {line for line in ignored if line.startswith("!")} - {"!*.nnjax"}


def test_the_image_starts_a_server_without_rights():
    uid, _, gid = the("USER").partition(":")
    assert int(uid) > 0
    assert int(gid) > 0
    command = json.loads(the("ENTRYPOINT"))
    assert command == ["python", "-m", "nnjax.serving"]
    arguments = _parser().parse_args(json.loads(the("CMD")))
    assert arguments.http == f"0.0.0.0:{the('EXPOSE')}"
    (model,) = [rest.split()[-1] for word, rest in instructions() if word == "COPY" and "${MODEL}" in rest]
    folder = [rest for word, rest in instructions() if word == "WORKDIR"][-1]
    assert model == f"{folder}/{arguments.model}"
    assert f":{the('EXPOSE')}/health" in the("HEALTHCHECK")


def test_kubernetes_asks_what_the_server_answers():
    pod = container()
    (port,) = pod["ports"]
    assert str(port["containerPort"]) == the("EXPOSE")
    server = (ROOT / "nnjax" / "serving" / "server" / "server_app.py").read_text()
    paths = {name: pod[name]["httpGet"]["path"] for name in ("startupProbe", "readinessProbe", "livenessProbe")}
    assert paths == {"startupProbe": "/ready", "readinessProbe": "/ready", "livenessProbe": "/health"}
    assert all(f'Route("{path}"' in server for path in paths.values())
    assert all(pod[name]["httpGet"]["port"] == port["name"] for name in paths)
    assert [entry["name"] for entry in pod["env"]] == [TOKEN_VARIABLE]


def test_a_server_has_the_time_to_drain():
    deployment, _ = yaml.safe_load_all(MANIFEST.read_text())
    _, pause = container()["lifecycle"]["preStop"]["exec"]["command"]
    grace = deployment["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
    assert grace >= float(pause) + ServerSettings().drain + 5


def test_the_pod_has_no_rights_and_the_service_finds_it():
    deployment, service = yaml.safe_load_all(MANIFEST.read_text())
    spec = deployment["spec"]
    labels = spec["template"]["metadata"]["labels"]
    assert service["spec"]["selector"] == spec["selector"]["matchLabels"] == labels
    assert service["spec"]["ports"][0]["targetPort"] == container()["ports"][0]["name"]
    user = spec["template"]["spec"]["securityContext"]
    assert f"{user['runAsUser']}:{user['runAsGroup']}" == the("USER")
    assert user["runAsNonRoot"]
    assert container()["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


@pytest.mark.engines
@pytest.mark.parametrize("version", ["1.31", "1.37"])
def test_the_manifest_keeps_to_the_schema_of_kubernetes(version):
    import kubernetes_validate

    deployment, service = yaml.safe_load_all(MANIFEST.read_text())
    for document in (deployment, service):
        kubernetes_validate.validate(document, version, strict=True)
    deployment["spec"]["template"]["spec"]["containers"][0]["readynessProbe"] = {}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(deployment, version, strict=True)


@pytest.mark.engines
def test_the_dockerfile_has_no_complaint_of_hadolint(tmp_path):
    program = shutil.which("hadolint", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    subprocess.run([program, DOCKERFILE], check=True)
    (tmp_path / "Dockerfile").write_text(DOCKERFILE.read_text().replace("--no-cache-dir ", ""))
    assert subprocess.run([program, tmp_path / "Dockerfile"], stdout=subprocess.DEVNULL).returncode == 1
