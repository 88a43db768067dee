"""Messages of CT2xx: layers: characters, orthography, fusion."""


class LayerErrors:
    """See `Errors`, through which they are used."""

    CT200 = "{layer}: {name} is {value}. Expected at least {least}. Change it in the config block of the layer."
    CT201 = (
        "Orthography: {name!r} is no token attribute. Expected attributes of spaCy, e.g. PREFIX, SUFFIX, SHAPE, NORM. "
        "Correct attrs in the config block of the layer."
    )
    CT202 = "Orthography: met {rows} rows for {attrs} attributes. Expected one number of rows for each attribute."
    CT203 = "Unknown fusion {kind!r}. Expected one of {expected}."
    CT204 = "Nothing to fuse. Expected at least one layer that maps Docs to token vectors."
    CT205 = (
        "The width of the layer {layer!r}, input {index} of the fusion, is not known. Expected a layer with nO, or a "
        "sample of Docs with tokens. Call initialize(X=docs)."
    )
    CT206 = (
        "The layer {layer!r}, input {index} of the fusion, gave arrays of {got} rows. Expected {expected}, one row for "
        "each token. Check that it is a tok2vec, List[Doc] to List[Floats2d]."
    )
    CT207 = (
        "StaticVectors: the vocabulary has no word vectors. Expected a table with columns. Name a package with "
        "vectors in [initialize.vectors], or leave the layer out."
    )
    CT208 = (
        "BiLSTM: width is {width}. Expected an even number, one half for each direction. Change it in the config block "
        "of the layer."
    )
    CT210 = "{layer}: `{name}` is {value}. Expected a probability, at least 0 and below 1. Correct it in the config."
