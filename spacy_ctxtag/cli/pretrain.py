"""`python -m spacy ctx pretrain RAW… OUT --backbone … --steps …`: an encoder that has read the texts of a domain."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Dict, List, Optional

import typer

from ..errors import Errors
from ._app import app
from ._printer import msg

if TYPE_CHECKING:
    from ..layers.backbone import Backbone

PACKAGED = "minilm"


@app.command("pretrain", no_args_is_help=True)
def pretrain_cli(
    inputs: Annotated[
        List[Path],
        typer.Argument(help='Raw texts: .jsonl with "text", or .txt with one a line, or .gz of these; or folders'),
    ],
    output: Annotated[Path, typer.Argument(help="Folder of the new backbone", show_default=False)],
    steps: Annotated[int, typer.Option("--steps", help="Steps in which all weights learn")],
    backbone: Annotated[
        str, typer.Option("--backbone", help="minilm (the packaged one), a folder, or a name on the hub")
    ] = PACKAGED,
    revision: Annotated[Optional[str], typer.Option("--revision", help="Commit, branch or tag on the hub")] = None,
    head_steps: Annotated[
        Optional[int],
        typer.Option("--head-steps", help="Steps before, for the head alone [a new head: as --steps, at most 1000]"),
    ] = None,
    learn_rate: Annotated[float, typer.Option("--learn-rate", help="The highest, of all weights")] = 5e-5,
    head_learn_rate: Annotated[
        float, typer.Option("--head-learn-rate", help="The highest in the steps of the head alone")
    ] = 1e-3,
    warmup: Annotated[float, typer.Option("--warmup", help="Share of the steps in which the rate rises")] = 0.1,
    weight_decay: Annotated[float, typer.Option("--weight-decay", help="Of matrices")] = 0.01,
    batch_pieces: Annotated[
        int, typer.Option("--batch-pieces", help="Word pieces of a batch, padding included")
    ] = 4096,
    accumulate: Annotated[int, typer.Option("--accumulate", help="Batches of a step")] = 1,
    window: Annotated[int, typer.Option("--window", help="Word pieces that the encoder reads at once")] = 256,
    mask_share: Annotated[float, typer.Option("--mask-share", help="Share of the words to be predicted")] = 0.15,
    train_precision: Annotated[str, typer.Option("--train-precision", help="fp32, bf16, or on a GPU fp16")] = "fp32",
    dev: Annotated[
        Optional[Path], typer.Option("--dev", help="Raw texts to measure with, instead of some of the others")
    ] = None,
    dev_share: Annotated[float, typer.Option("--dev-share", help="Share of the texts that is held out")] = 0.05,
    dev_texts: Annotated[int, typer.Option("--dev-texts", help="But at most so many texts")] = 500,
    save_every: Annotated[
        int, typer.Option("--save-every", help="Steps between checkpoints, each with a perplexity")
    ] = 500,
    seed: Annotated[int, typer.Option("--seed", help="Of order, masks, dropout and a new head")] = 0,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with a run that was cut off, if there is one")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace OUTPUT, or a run that was cut off")] = False,
    gpu_id: Annotated[int, typer.Option("--gpu-id", "-g", help="GPU, or -1 for the CPU")] = -1,
) -> None:
    """
    Let an encoder learn the language of a domain from raw text: it predicts words that are masked, whole words at a
    time. Print the perplexity of texts that are held out, before and after. The result is a folder that any config
    takes as a backbone.
    """
    from spacy.cli._util import setup_gpu

    from ..training.pretrain import pretrain
    from ..training.pretrain_settings import Settings

    setup_gpu(gpu_id, silent=gpu_id < 0)
    try:
        if resume and force:
            raise ValueError(Errors.CT304.format(name="resume", met="given with --force", expected="one of the two"))
        settings = Settings(
            steps=steps,
            head_steps=head_steps,
            learn_rate=learn_rate,
            head_learn_rate=head_learn_rate,
            warmup=warmup,
            weight_decay=weight_decay,
            batch_pieces=batch_pieces,
            accumulate=accumulate,
            window=window,
            mask_share=mask_share,
            train_precision=train_precision,
            seed=seed,
            save_every=save_every,
            dev_share=dev_share,
            dev_texts=dev_texts,
        )
        report = pretrain(
            inputs, output, find(backbone, revision), settings, dev=dev, resume=resume, force=force, say=msg.text
        )
    except (ValueError, OSError) as error:
        msg.fail(str(error), exits=1)
        raise typer.Exit(1) from error
    show(report)
    msg.good(f"{output}: a backbone; the figures are in {output / 'pretrain.json'}")


def find(name: str, revision: Optional[str]) -> "Backbone":
    """RETURNS (Backbone): What `--backbone` means."""
    from ..layers.backbone import make_backbone_v1, make_minilm_v1

    return make_minilm_v1() if name == PACKAGED else make_backbone_v1(name, revision)


def show(report: Dict[str, Any]) -> None:
    """Print the perplexities as a table."""
    names = {
        "before": "as it was" + (", with a new head" if report["head"] == "new" else ""),
        "after_head": f"after {report['head_steps']:,} steps of the head alone",
        "after": f"after {report['settings']['steps']:,} steps of all weights",
    }
    values = report["perplexity"]
    rows = [(title, f"{values[name]:,.2f}") for name, title in names.items() if values[name] is not None]
    header = ("", "perplexity")
    msg.table(rows, header=header, divider=True, aligns=("l", "r"))
    msg.text(f"{report['masked_pieces']:,} masked word pieces in {report['held_out']:,} texts held out")
