"""Parts that every dock is made of: threads, bars, notifications, remembered choices."""
