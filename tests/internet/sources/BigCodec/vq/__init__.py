"""A small codec behind the calls of BigCodec's package `vq`: what the project's adapter asks of it, and nothing of the authors'."""

import torch

SIZE, WIDTH, HOP = 8192, 8, 200


class CodecEncoder(torch.nn.Module):
    """Audio (B, 1, T) to embeddings (B, D, N)."""

    hop_length = HOP

    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv1d(1, WIDTH, HOP, HOP)

    def forward(self, audio):
        return self.conv(audio)


class Layer(torch.nn.Module):
    codebook_size = SIZE

    def __init__(self):
        super().__init__()
        self.codebook = torch.nn.Embedding(SIZE, WIDTH)


class Quantizer(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = torch.nn.ModuleList([Layer()])


class CodecDecoder(torch.nn.Module):
    """With `vq` embeddings to (quantised, codes (1, B, N), loss), without to audio (B, 1, T)."""

    def __init__(self):
        super().__init__()
        self.quantizer = Quantizer()
        self.conv = torch.nn.ConvTranspose1d(WIDTH, 1, HOP, HOP)

    def forward(self, embedding, vq):
        if not vq:
            return self.conv(embedding)
        codes = torch.cdist(embedding.transpose(1, 2), self.quantizer.layers[0].codebook.weight[None]).argmin(-1)
        return self.vq2emb(codes[..., None]).transpose(1, 2), codes[None], torch.zeros(())

    def vq2emb(self, codes):
        """Codes (B, N, 1) to embeddings (B, N, D)."""
        return self.quantizer.layers[0].codebook(codes[..., 0])
