"""
How Ansible reads inventories. From stdin a JSON list of cases: { "files": [[name, text], ...], "values": [[form, text], ...] }.
To stdout, one JSON value for each: { "error": sentence }, or { "hosts": { name: { "groups": [...], "variables": { name: spelt } } },
"groups": { name: [hosts, in order] }, "values": [spelt, ...] }. A value is spelt with its type, so that 1, "1" and true differ.
"""
import json
import os
import sys
import tempfile

with tempfile.NamedTemporaryFile(suffix=".cfg", delete=False) as empty:
    os.environ["ANSIBLE_CONFIG"] = empty.name
os.environ["ANSIBLE_INVENTORY_UNPARSED_FAILED"] = "true"
os.environ["ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED"] = "true"
os.environ["ANSIBLE_LOCALHOST_WARNING"] = "false"

from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.parsing.yaml.objects import AnsibleVaultEncryptedUnicode
from ansible.plugins.inventory.ini import InventoryModule
from ansible.plugins.loader import vars_loader
from ansible.utils.display import Display
from ansible.vars.manager import VariableManager

os.unlink(empty.name)

Display.warning = lambda *_, **__: None
Display.display = lambda *_, **__: None
# of every host, whatever the inventory says
MAGIC = {
    "ansible_playbook_python", "inventory_file", "inventory_dir", "inventory_hostname", "inventory_hostname_short",
    "groups", "group_names", "omit", "playbook_dir", "ansible_version", "ansible_config_file", "ansible_facts",
    "ansible_check_mode", "ansible_diff_mode", "ansible_forks", "ansible_inventory_sources", "ansible_skip_tags",
    "ansible_limit", "ansible_run_tags", "ansible_verbosity", "environment",
}


def spelt(value):
    if isinstance(value, AnsibleVaultEncryptedUnicode):
        return "vault " + repr(bytes(value._ciphertext))
    if isinstance(value, dict):
        return "{" + ", ".join(sorted(spelt(k) + ": " + spelt(v) for k, v in value.items())) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(spelt(each) for each in value) + "]"
    if isinstance(value, (set, frozenset)):
        return "set" + spelt(sorted(value, key=spelt))
    if isinstance(value, str):
        return repr(str(value))
    return type(value).__name__ + " " + repr(value)


def value_of(form, text, loader):
    if form == "ini":
        return InventoryModule._parse_value(text)
    return loader.load("{ it: %s }" % text)["it"]


def seen(case, folder):
    loader = DataLoader()
    paths = []
    for name, text in case["files"]:
        path = os.path.join(folder, name)
        with open(path, "w", encoding="utf-8", newline="") as file:
            file.write(text)
        paths.append(path)
    inventory = InventoryManager(loader=loader, sources=paths)
    variables = VariableManager(loader=loader, inventory=inventory)
    hosts = {}
    for name, host in inventory.hosts.items():
        merged = variables.get_vars(host=host, include_hostvars=False, stage="all")
        hosts[name] = {
            "groups": sorted(group.name for group in host.get_groups()),
            "variables": {str(k): spelt(v) for k, v in merged.items() if k not in MAGIC},
        }
    return {
        "hosts": hosts,
        "groups": inventory.get_groups_dict(),
        "values": [spelt(value_of(form, text, loader)) for form, text in case.get("values", [])],
    }


def answer(case):
    with tempfile.TemporaryDirectory() as folder:
        try:
            return seen(case, folder)
        except Exception as error:  # whatever it says no with
            return {"error": "%s: %s" % (type(error).__name__, str(error).replace(folder, ""))}


vars_loader.all(class_only=True)
json.dump([answer(case) for case in json.load(sys.stdin)], sys.stdout)
