"""The paper's recogniser: MMS-1B with its English adapter, greedy (section 3.2.1; Pratap et al. 2023)."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from transformers import AutoProcessor, Wav2Vec2ForCTC

from codec_cliff.device import choose_device
from codec_cliff.downloads.hub import hub_folder
from codec_cliff.downloads.pins import METRICS, HubFiles
from codec_cliff.downloads.whole import check_whole
from codec_cliff.errors import MetricError

# ours: the paper says "MMS-1B"; this is the checkpoint fine-tuned for recognition in all languages. CC-BY-NC 4.0, 3.9
# GB.
FILES: HubFiles = METRICS["mms_1b_all"][0]
LANGUAGE = "eng"
MIN_SECONDS = 0.1  # ours: what is shorter holds no word, and below 25 ms does not fill the convolutions
BATCH_SECONDS = 160  # of audio that a GPU takes at once, padding included
MASK = "wav2vec2.masked_spec_embed"  # stands for what is hidden in training; some published files lack it


class Mms:
    """Greedy transcripts without a language model. On a GPU recordings of like length go together, padded and masked,
    which moves the logits by rounding alone; on a CPU each goes by itself.
    """

    backend = "mms_1b_all"
    sample_rate = 16000

    def __init__(self, cache: str | None, device: str, folder: Path | None = None, half: bool = False):
        """`folder` holds the files instead of the cache, `half` computes in float16; MetricError where they cannot be loaded."""
        self.device = torch.device(choose_device(device))
        self.batch_utterances = 64 if self.device.type == "cuda" else 1
        if folder is None:
            folder = hub_folder(FILES, Path(cache or "cache"))
        self.revision = f"{FILES.repository}@{folder.name}" + (", float16" if half else "")
        self.type = torch.float16 if half else torch.float32
        try:
            self.processor = AutoProcessor.from_pretrained(folder, target_lang=LANGUAGE)
            self.model, report = Wav2Vec2ForCTC.from_pretrained(
                folder, target_lang=LANGUAGE, ignore_mismatched_sizes=True, output_loading_info=True
            )
        except (OSError, ValueError) as error:
            raise MetricError(
                f"{folder}: cannot be loaded as MMS ({str(error).splitlines()[0]}); delete it to have it downloaded "
                "again, or set metrics.wer to moonshine_tiny"
            ) from error
        adapters = self.model._get_adapters()  # those come from the language's file
        check_whole(self.model, report, folder, MetricError, elsewhere=[MASK, *adapters])
        self.model.to(self.device, self.type).eval()

    def transcribe(self, audio: Sequence[np.ndarray]) -> list[str]:
        """Each of float32 (n,) at 16 kHz to its greedy transcript, in the order given; "" below 0.1 s."""
        texts = dict.fromkeys(range(len(audio)), "")
        heard = [index for index in texts if len(audio[index]) >= MIN_SECONDS * self.sample_rate]
        for batch in alike([len(audio[index]) / self.sample_rate for index in heard], BATCH_SECONDS):
            chosen = [heard[number] for number in batch]
            texts |= dict(zip(chosen, self._decode([audio[index] for index in chosen]), strict=True))
        return list(texts.values())

    @torch.inference_mode()
    def _decode(self, batch: list[np.ndarray]) -> list[str]:
        options = {"padding": True, "return_attention_mask": True} if len(batch) > 1 else {}
        inputs = self.processor(batch, sampling_rate=self.sample_rate, return_tensors="pt", **options)
        inputs = inputs.to(self.device, self.type)  # the type of the recordings alone
        tokens = self.model(**inputs).logits.argmax(-1)
        lengths = self.model._get_feat_extract_output_lengths(torch.tensor([len(recording) for recording in batch]))
        texts = [
            self.processor.decode(row[:length]) for row, length in zip(tokens.cpu(), lengths.tolist(), strict=True)
        ]
        return [self._spoken(text) for text in texts]

    def _spoken(self, text: str) -> str:
        """Without the marks of the vocabulary: `<unk>` is no word that was heard. Not before decoding, for it parts letters."""
        for mark in self.processor.tokenizer.all_special_tokens:
            text = text.replace(mark, "")
        return text


def alike(seconds: Sequence[float], limit: float) -> list[list[int]]:
    """Indices in batches of like length; a batch padded to its longest holds at most `limit` seconds, or one recording."""
    batches: list[list[int]] = []
    for index in sorted(range(len(seconds)), key=lambda index: seconds[index]):
        if not batches or (len(batches[-1]) + 1) * seconds[index] > limit:
            batches.append([])
        batches[-1].append(index)
    return batches
