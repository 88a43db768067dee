"""A source of paraphrases: a text-to-text model of Hugging Face transformers (T5, BART, …) on this machine."""

from pathlib import Path
from typing import Any, Dict, List, Tuple

from ...errors import Errors


class Text2Text:
    """Samples paraphrases from a model, which is loaded when it is first asked. Nothing is downloaded.

    Each text is given to it once, with placeholders for the entities; after that its answers are known. A model whose
    answers keep none of the placeholders is of no use for texts with entities.

    path (Path): The folder of the model and its tokenizer.
    prefix (str): What stands before the text, as the model was trained: "paraphrase: ".
    n (int): How many paraphrases are sampled for a text.
    temperature (float): Above 1 they differ more, below 1 less.
    max_length (int): Word pieces at most, of the text and of a paraphrase; what is cut off loses its entities.
    device (str): Where it computes: "cpu", "cuda:0".
    seed (int): The seed. A text has the same paraphrases whatever was asked before.
    RAISES (ValueError): A wrong setting (CT390); a folder without a model (CT393), also when it is loaded.
    """

    def __init__(
        self, path: Path, *, prefix: str, n: int, temperature: float, max_length: int, device: str, seed: int
    ) -> None:
        for setting, value in (("n", n), ("max_length", max_length)):
            if value < 1:
                raise ValueError(
                    Errors.CT390.format(name="Text2Text", setting=setting, value=value, expected="1 or more")
                )
        if temperature <= 0:
            expected = "a number above 0"
            raise ValueError(
                Errors.CT390.format(name="Text2Text", setting="temperature", value=temperature, expected=expected)
            )
        if not (path / "config.json").is_file():
            raise ValueError(Errors.CT393.format(path=path, reason="there is no config.json"))
        self.path = path
        self.prefix = prefix
        self.settings = {"num_return_sequences": n, "temperature": temperature, "max_new_tokens": max_length}
        self.max_length = max_length
        self.device = device
        self.seed = seed
        self._model: Tuple[Any, Any] = (None, None)
        self._answers: Dict[str, List[str]] = {}

    def __call__(self, text: str, masked: str) -> List[str]:
        """RETURNS (List[str]): Different paraphrases of the text with placeholders."""
        if masked not in self._answers:
            self._answers[masked] = self._generate(masked)
        return self._answers[masked]

    def __getstate__(self) -> Dict[str, Any]:
        return {**self.__dict__, "_model": (None, None)}  # the weights stay where they are

    def _generate(self, text: str) -> List[str]:
        import torch

        if self._model[0] is None:
            self._model = self._load()
        tokenizer, model = self._model
        batch = tokenizer(self.prefix + text, return_tensors="pt", truncation=True, max_length=self.max_length)
        inputs = {name: batch[name].to(self.device) for name in ("input_ids", "attention_mask")}
        devices = [] if self.device == "cpu" else [torch.device(self.device)]
        with torch.random.fork_rng(devices=devices), torch.inference_mode():
            torch.manual_seed(self.seed)
            ids = model.generate(**inputs, do_sample=True, **self.settings)
        answers: List[str] = tokenizer.batch_decode(ids, skip_special_tokens=True)
        return list(dict.fromkeys(answer.strip() for answer in answers))

    def _load(self) -> Tuple[Any, Any]:
        from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

        try:
            tokenizer = AutoTokenizer.from_pretrained(self.path, local_files_only=True)
            model = AutoModelForSeq2SeqLM.from_pretrained(self.path, local_files_only=True)
        except Exception as err:  # of a dozen kinds: another architecture, no weights, no tokenizer, a package missing
            raise ValueError(Errors.CT393.format(path=self.path, reason=str(err).split("\n")[0].rstrip("."))) from err
        return tokenizer, model.eval().to(self.device)


def create_text2text_v1(
    path: Path,
    prefix: str = "paraphrase: ",
    n: int = 4,
    temperature: float = 1.0,
    max_length: int = 128,
    device: str = "cpu",
    seed: int = 0,
) -> Text2Text:
    """Registered as `spacy-ctxtag.Text2Text.v1`; settings as in `Text2Text`."""
    settings: Dict[str, Any] = {"prefix": prefix, "n": n, "temperature": temperature, "max_length": max_length}
    return Text2Text(Path(path), **settings, device=device, seed=seed)
