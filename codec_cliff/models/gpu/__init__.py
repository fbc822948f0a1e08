"""DAC's layers as a GPU wants them: few passes over memory, one layout, matrix units. Nothing here runs on a CPU but in tests."""
