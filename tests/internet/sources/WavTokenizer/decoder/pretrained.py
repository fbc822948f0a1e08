"""A small codec behind the calls of WavTokenizer's class: what the project's adapter asks of it, and nothing of the authors'."""

from types import SimpleNamespace

import torch
import yaml

SIZE, WIDTH = 4096, 8


class Quantizer(torch.nn.Module):
    n_q, bins = 1, SIZE

    def __init__(self):
        super().__init__()
        self.codebook = torch.nn.Embedding(SIZE, WIDTH)


class Encodec(torch.nn.Module):
    def __init__(self, hop_length):
        super().__init__()
        self.conv = torch.nn.Conv1d(1, WIDTH, hop_length, hop_length)
        self.quantizer = Quantizer()


class Features(torch.nn.Module):
    def __init__(self, hop_length):
        super().__init__()
        self.encodec = Encodec(hop_length)


class Head(torch.nn.Module):
    def __init__(self, hop_length):
        super().__init__()
        self.istft = SimpleNamespace(hop_length=hop_length)
        self.conv = torch.nn.ConvTranspose1d(WIDTH, 1, hop_length, hop_length)


class WavTokenizer(torch.nn.Module):
    """One codebook at 24 kHz; codes are (1, 1, N)."""

    def __init__(self, hop_length):
        super().__init__()
        self.feature_extractor, self.head = Features(hop_length), Head(hop_length)

    @classmethod
    def from_hparams0802(cls, config):
        with open(config) as file:
            return cls(yaml.safe_load(file)["hop_length"])

    def encode_infer(self, audio, bandwidth_id):
        encodec = self.feature_extractor.encodec
        padded = torch.nn.functional.pad(audio, (0, -audio.shape[-1] % self.head.istft.hop_length))
        frames = encodec.conv(padded[:, None]).transpose(1, 2)
        codes = torch.cdist(frames, encodec.quantizer.codebook.weight[None]).argmin(-1)[None]
        return self.codes_to_features(codes[0]), codes

    def codes_to_features(self, codes):
        """Codes (1, N) to features (1, D, N)."""
        return self.feature_extractor.encodec.quantizer.codebook(codes).transpose(1, 2)

    def decode(self, features, bandwidth_id):
        return self.head.conv(features)[:, 0]
