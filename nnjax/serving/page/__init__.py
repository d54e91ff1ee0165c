"""The page on which a person draws a digit or drops a picture, and sees a model's answer.

status, headers, body = page_response()                # see nnjax.serving.page.drawing_page
"""
