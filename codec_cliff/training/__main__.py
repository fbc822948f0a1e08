from codec_cliff.errors import exit_cleanly
from codec_cliff.training.loop import main

exit_cleanly(main)
