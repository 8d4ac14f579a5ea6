"""The root of `har`."""

from __future__ import annotations

import os

import typer

from pipeline.cli import (
    data,
    demo,
    doctor,
    emulate,
    evaluate,
    fit,
    flash,
    fxcy,
    head,
    learn,
    monitor,
    parity,
    personalize,
    record,
    search,
    stream,
    train,
    transfer,
    variants,
)

app = typer.Typer(
    name="har",
    help="Activity classifiers that learn on the microcontroller.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(data.app, name="data")
app.add_typer(head.app, name="head")
for verb in (
    train.pretrain,
    train.train,
    train.quantize,
    evaluate.evaluate,
    search.search,
    transfer.transfer,
    variants.variants,
    fxcy.fxcy,
    personalize.personalize,
    train.emit,
    parity.parity,
    fit.fit,
    fit.bench,
    emulate.build,
    emulate.emulate,
    flash.flash,
    doctor.doctor,
    stream.stream,
    monitor.monitor,
    record.record,
    learn.learn,
    demo.demo,
):
    app.command()(verb)


@app.callback()
def root() -> None:
    # Both must be set before TensorFlow is first imported: its log goes to the user's terminal
    # otherwise, and oneDNN's reordered sums differ from machine to machine.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")


if __name__ == "__main__":
    app()
