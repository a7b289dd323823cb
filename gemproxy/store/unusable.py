"""The refusal of a data directory that cannot be used."""


class Unusable(Exception):
    """The data directory cannot be used as it is; the message is for people, without secrets.

    ``setting`` is the path of the setting to look at, ``why`` a sentence about its value.
    """

    def __init__(self, setting: str, why: str) -> None:
        super().__init__(f"{setting}: {why}")
        self.setting = setting
        self.why = why


DATA_DIR = "server.data_dir"
SECRET_KEY = "server.secret_key"  # noqa: S105 (the name of a setting)
