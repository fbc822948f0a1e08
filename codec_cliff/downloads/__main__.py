from codec_cliff.downloads.command import main
from codec_cliff.errors import exit_cleanly

exit_cleanly(main)
