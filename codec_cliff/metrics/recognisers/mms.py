"""The paper's recogniser: MMS-1B with its English adapter, greedy (section 3.2.1; Pratap et al. 2023)."""

import numpy as np
import torch
from transformers import AutoProcessor, Wav2Vec2ForCTC

from codec_cliff.device import choose_device
from codec_cliff.errors import MetricError

# ours: the paper says "MMS-1B"; this is the checkpoint fine-tuned for recognition in all languages. CC-BY-NC 4.0, 3.9
# GB.
MODEL = "facebook/mms-1b-all"
REVISION = "3d33597edbdaaba14a8e858e2c8caa76e3cec0cd"
LANGUAGE = "eng"


class Mms:
    """One utterance at a time, without a language model: padding in a batch would change the result."""

    backend = "mms_1b_all"
    sample_rate = 16000

    def __init__(self, cache: str | None, device: str, model: str = MODEL, revision: str | None = REVISION):
        """`model` is a hub id or a folder in the hub's format; raises MetricError where it cannot be loaded."""
        self.revision = f"{model}@{revision}" if revision else model
        self.device = torch.device(choose_device(device))
        source = {"revision": revision or "main", "cache_dir": cache, "target_lang": LANGUAGE}
        try:
            self.processor = AutoProcessor.from_pretrained(model, **source)
            self.model = Wav2Vec2ForCTC.from_pretrained(model, ignore_mismatched_sizes=True, **source)
        except OSError as error:  # what transformers raises for a file that is neither cached nor reachable
            raise MetricError(
                f"{self.revision}: cannot be loaded ({str(error).splitlines()[0]}); run this once where huggingface.co "
                f"can be reached (unset HF_HUB_OFFLINE), copy its cache ({cache or 'the default one'}) here, or set "
                "metrics.wer to pocketsphinx"
            ) from error
        self.model.to(self.device).eval()

    @torch.inference_mode()
    def transcribe(self, audio: np.ndarray) -> dict[str, str]:
        """float32 (n,) at 16 kHz to the greedy transcript."""
        inputs = self.processor(audio, sampling_rate=self.sample_rate, return_tensors="pt").to(self.device)
        tokens = self.model(**inputs).logits.argmax(-1)[0]
        return {"": self.processor.decode(tokens)}
