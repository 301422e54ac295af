"""Answers of manifestoo about modules, one process for all: reads a list of sets from standard input.

A set is {"roots": [...], "modules": [...]}; the answer per set and module is a dictionary of sorted lists.
"""

import json
import pathlib
import sys

from manifestoo.addons_selection import AddonsSelection
from manifestoo.commands.list import list_command
from manifestoo.commands.list_codepends import list_codepends_command
from manifestoo.commands.list_depends import list_depends_command
from manifestoo.commands.list_external_dependencies import list_external_dependencies_command
from manifestoo_core.addons_set import AddonsSet

answers = []
for wanted in json.load(sys.stdin):
    addons = AddonsSet()
    addons.add_from_addons_dirs([pathlib.Path(root) for root in wanted["roots"]])
    answer = {"list": list(list_command(AddonsSelection(addons), addons)), "modules": {}}
    for name in wanted["modules"]:
        selection = AddonsSelection({name})
        depends, missing = list_depends_command(selection, addons, transitive=True)
        answer["modules"][name] = {
            "depends": sorted(depends),
            "missing": sorted(missing),
            "codepends": sorted(list_codepends_command(selection, addons, include_selected=False)),
            **{
                kind: sorted(list_external_dependencies_command(selection, addons, kind, transitive=True)[0])
                for kind in ("python", "bin", "deb")
            },
        }
    answers.append(answer)
json.dump(answers, sys.stdout)
