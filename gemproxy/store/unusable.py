"""The refusal of a data directory that cannot be used."""


class Unusable(ValueError):
    """The data directory cannot be used as it is; the message is for people, without secrets.

    ``setting`` is the path of the setting to look at.
    """

    def __init__(self, setting: str, why: str) -> None:
        super().__init__(why)
        self.setting = setting


DATA_DIR = "server.data_dir"
SECRET_KEY = "server.secret_key"  # noqa: S105 (the name of a setting)
