"""Command line: `python -m reference_impls list | train | count | ledger`."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch

from reference_impls import ledger
from reference_impls.counting import count, read_config
from reference_impls.method import Method, load_methods
from reference_impls.runs import STEPS, one, refresh


def main(arguments: list[str] | None = None) -> int:
    """Run a command; 0 done, 2 bad input."""
    methods = load_methods()
    options = _parser(methods).parse_args(arguments)
    try:
        return options.run(options, methods)
    except (ValueError, OSError) as error:
        print(f"reference_impls: {error}", file=sys.stderr)
        return 2


def _parser(methods: dict[str, type[Method]]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m reference_impls", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    listing = commands.add_parser("list", help="every method, its leaf, paper and properties")
    listing.add_argument("--json", action="store_true")
    listing.set_defaults(run=_list)

    training = commands.add_parser("train", help="train a method in the lab")
    training.add_argument("--all", action="store_true", help="make every run that is not current")
    training.set_defaults(run=_train_all)
    by_name = training.add_subparsers(metavar="METHOD")
    for name, method in methods.items():
        command = by_name.add_parser(name, help=method.title)
        command.add_argument(
            "--task", default=method.tasks[0], help=f"one of {', '.join(method.tasks)}"
        )
        command.add_argument(
            "--backbone", help="default: the task's; 'encoder-random', a folder, …"
        )
        command.add_argument("--seed", type=int, default=0)
        command.add_argument("--steps", type=int, default=STEPS)
        _add_hyperparameters(command, method, lab=True)
        command.add_argument("--json", action="store_true")
        command.set_defaults(run=_train, method=name)

    counting = commands.add_parser("count", help="count parameters of any architecture")
    by_name = counting.add_subparsers(required=True, metavar="METHOD")
    for name, method in methods.items():
        command = by_name.add_parser(name, help=method.title)
        command.add_argument(
            "--config", type=Path, required=True, help="a config.json or its folder"
        )
        _add_hyperparameters(command, method, lab=False)
        command.add_argument("--json", action="store_true")
        command.set_defaults(run=_count, method=name)

    ledgers = commands.add_parser("ledger", help="the bytes that a training step keeps")
    ledgers.add_argument("--write", action="store_true", help="make ledger.json, of all methods")
    _add_ledger_options(ledgers)
    ledgers.set_defaults(run=_ledger, method=None)
    by_name = ledgers.add_subparsers(metavar="METHOD")
    for name, method in methods.items():
        command = by_name.add_parser(name, help=method.title, argument_default=argparse.SUPPRESS)
        _add_ledger_options(command)
        _add_hyperparameters(command, method, lab=False)
        command.set_defaults(method=name)
    return parser


def _add_ledger_options(parser: argparse.ArgumentParser) -> None:
    """Without defaults below METHOD, so that what stands before it is not forgotten."""

    def default(value: Any) -> dict[str, Any]:
        return {} if parser.argument_default else {"default": value}

    parser.add_argument(
        "--config",
        type=Path,
        help="a config.json or its folder, in place of the lab; hyper-parameters are the paper's",
        **default(None),
    )
    parser.add_argument("--batch", type=int, help="rows, with --config (default: 8)", **default(8))
    parser.add_argument(
        "--tokens", type=int, help="tokens a row, with --config (default: 256)", **default(256)
    )
    parser.add_argument(
        "--dtype",
        choices=("float32", "bfloat16", "float16"),
        help="of the weights, with --config (default: float32)",
        **default("float32"),
    )
    parser.add_argument("--json", action="store_true")


def _add_hyperparameters(
    parser: argparse.ArgumentParser, method: type[Method], *, lab: bool
) -> None:
    for field in fields(method):
        if field.metadata.get("from_task"):
            continue
        default = method.lab.get(field.name, field.default) if lab else field.default
        kind = type(field.default)
        several = kind is tuple
        parser.add_argument(
            f"--{field.name.replace('_', '-')}",
            dest=f"hyper:{field.name}",
            type=str if several else _boolean if kind is bool else kind,
            nargs="+" if several else None,
            default=argparse.SUPPRESS,
            metavar=field.name.upper(),
            help=f"default: {' '.join(map(str, default)) if several else default}",
        )


def _boolean(text: str) -> bool:
    if text not in ("true", "false"):
        raise argparse.ArgumentTypeError(f"'{text}' is neither true nor false")
    return text == "true"


def _given(options: argparse.Namespace) -> dict[str, Any]:
    """The hyper-parameters on the command line, with lists as the tuples that fields are."""
    return {
        name.removeprefix("hyper:"): tuple(value) if isinstance(value, list) else value
        for name, value in vars(options).items()
        if name.startswith("hyper:")
    }


def _list(options: argparse.Namespace, methods: dict[str, type[Method]]) -> int:
    keys = ("name", "title", "leaf", "paper", "init_noop", "mergeable", "frozen_base", "tasks")
    rows = [{key: getattr(method, key) for key in keys} for method in methods.values()]
    if options.json:
        print(json.dumps(rows, indent=1))
        return 0
    for row in rows:
        declared = [key.replace("_", " ") for key in keys[4:7] if row[key]]
        print(f"{row['name']:20} {row['leaf']:18} {row['paper']:26} {', '.join(declared)}")
    return 0


def _train_all(options: argparse.Namespace, methods: dict[str, type[Method]]) -> int:
    if not options.all:
        raise ValueError("name a method, or say --all (see 'train --help')")
    made = refresh(methods)
    print(f"{made} runs made" if made else "every committed run is current")
    return 0


def _train(options: argparse.Namespace, methods: dict[str, type[Method]]) -> int:
    if options.steps < 1:
        raise ValueError(f"--steps {options.steps}: at least one step is needed")
    result = one(
        methods[options.method],
        options.task,
        seed=options.seed,
        steps=options.steps,
        backbone=options.backbone,
        **_given(options),
    )
    if options.json:
        print(json.dumps(result, indent=1))
        return 0
    counts = result["counts"]
    for step, score in result["curve"]:
        print(f"step {step:5}  score {score:.3f}")
    print(
        f"{options.method} on {options.task}: score {result['score']:.3f} after "
        f"{result['seconds']:.1f} s; trained {counts['trained']:,}, stored {counts['stored']:,}, "
        f"head {counts['head']:,}, base {counts['base']:,}"
    )
    return 0


def _count(options: argparse.Namespace, methods: dict[str, type[Method]]) -> int:
    result = count(methods[options.method](**_given(options)), options.config)
    if options.json:
        print(json.dumps(result))
    else:
        share = result["trained"] / result["base"]
        print("\n".join(f"{key:8} {value:>15,}" for key, value in result.items()))
        print(f"{'share':8} {share:>15.4%}")
    return 0


def _ledger(options: argparse.Namespace, methods: dict[str, type[Method]]) -> int:
    if options.write:
        ledger.write(methods)
        return 0
    if min(options.batch, options.tokens) < 1:
        raise ValueError("--batch and --tokens: at least one row of one token is needed")
    chosen = {options.method: methods[options.method]} if options.method else methods
    reports = {}
    for name, method in chosen.items():
        if not options.config:
            for task in ledger.tasks_of(method):
                reports[name, task] = ledger.on_task(method, task, **_given(options))
            continue
        measure = ledger.on_config if options.method else ledger.on_architecture
        reports[name, options.config.name] = measure(
            method,
            read_config(options.config),
            options.batch,
            options.tokens,
            dtype=getattr(torch, options.dtype),
            **_given(options),
        )
    if options.json:
        print(json.dumps([{"method": n, "on": on, **r} for (n, on), r in reports.items()]))
        return 0
    columns = [field.name for field in fields(ledger.Ledger)]
    print(f"{'bytes':20} {'on':14}" + "".join(f"{column:>17}" for column in columns))
    for (name, on), report in reports.items():
        numbers = (f"{report['ledger'][column]:17,}" for column in columns if "ledger" in report)
        print(f"{name:20} {on:14}" + ("".join(numbers) or f" {report['refused']}"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
