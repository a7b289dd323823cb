"""Moving here: the settings of other proxies, as gemproxy's."""
