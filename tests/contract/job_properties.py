"""Ask MONAI for the properties that a workflow lacks: TYPE CONFIG_FILES BUNDLE_ROOT KEY=VALUE ..."""

import sys

from monai.bundle import ConfigWorkflow

kind, files, root, *overrides = sys.argv[1:]
settings = dict(pair.split("=", 1) for pair in overrides)
workflow = ConfigWorkflow(config_file=files.split(","), workflow_type=kind, bundle_root=root, **settings)
workflow.initialize()
missing = workflow.check_properties()
if missing:
    sys.exit(f"missing or unused properties of {kind}: {missing}")
