from codec_cliff.errors import exit_cleanly
from codec_cliff.statistics.summary import main

exit_cleanly(main)
