"""Messages of CT6xx: training."""


class TrainingErrors:
    """See `Errors`, through which they are used."""

    CT600 = (
        "{what} of {name!r} is not a number, or too large for one, in step {step} (epoch {epoch}{rate}). Lower "
        "`learn_rate` in [training.optimizer] or the encoder's `lr_scale`, give it a warm-up, keep `grad_clip` = 1, "
        'and with mixed precision try `train_precision = "bf16"`. Resuming meets the same again.'
    )
    CT601 = (
        "The run in {path} is another one, so it cannot be resumed: {differences}. Give the same config, data and "
        "options, or train into another folder, or leave --resume out to start over."
    )
    CT602 = "The checkpoint {path} cannot be used: {reason}. Leave --resume out to start over."
    CT603 = (
        "The checkpoint does not fit the pipeline that the config makes: {what} differ. Has code changed? "
        "Leave --resume out to start over."
    )
    CT604 = (
        "The first {count} batches are not those that the run has learned from, so it cannot go on. Expected a corpus, "
        "augmenter and batcher that give the same for the same seed: `random` or `numpy.random`, no sets of strings."
    )
    CT605 = (
        "No checkpoint would be exact: {what} cannot be saved. Use an optimizer of Thinc, and models of Thinc or "
        "PyTorch, or train with `spacy train`."
    )
    CT606 = "`spacy-ctxtag.warmup_linear.v1`: {problem}."
    CT607 = (
        "Another process is training into {path}. Wait for it or end it, or name another folder. (Should none "
        "be there, as after a computer of a cluster was lost: remove {lock}.)"
    )
