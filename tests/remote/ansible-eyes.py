"""
How Ansible reads inventories. From stdin a JSON list of cases: { "files": [[name, text], ...], "values": [[form, text], ...],
"folders": whether group_vars and host_vars beside the files count, "merge": whether hash_behaviour is merge }. To stdout, one JSON value for each: { "error": sentence }, or { "hosts": { name: { "groups": [...], "variables": { name: spelt } } },
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

from ansible import constants
from ansible.inventory import manager
from ansible.inventory.helpers import get_group_vars
from ansible.parsing.dataloader import DataLoader
from ansible.parsing.yaml.objects import AnsibleVaultEncryptedUnicode
from ansible.plugins.inventory.ini import InventoryModule
from ansible.utils.display import Display
from ansible.utils.vars import combine_vars

os.unlink(empty.name)

Display.warning = lambda *_, **__: None
Display.display = lambda *_, **__: None
# of every host, whatever the inventory says
MAGIC = {"inventory_file", "inventory_dir", "inventory_hostname", "inventory_hostname_short", "group_names"}
vars_of_files = manager.get_vars_from_inventory_sources


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
    constants.DEFAULT_HASH_BEHAVIOUR = "merge" if case.get("merge") else "replace"
    loader = DataLoader()
    paths = []
    for name, text in case["files"]:
        path = os.path.join(folder, name)
        with open(path, "w", encoding="utf-8", newline="") as file:
            file.write(text)
        paths.append(path)
    # group_vars and host_vars are looked for where there are any: that takes most of the time
    manager.get_vars_from_inventory_sources = vars_of_files if case.get("folders") else lambda *_: {}
    inventory = manager.InventoryManager(loader=loader, sources=paths)
    hosts = {}
    for name, host in inventory.hosts.items():
        merged = combine_vars(get_group_vars(host.get_groups()), host.get_vars())
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


json.dump([answer(case) for case in json.load(sys.stdin)], sys.stdout)
