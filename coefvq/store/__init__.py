"""The store: SQLAlchemy tables and small modules of functions that take a session.

Start with ``coefvq.store.session.open_store(url)``. A change and its event are written in
one ``with store.write() as session:`` block, which is one transaction.
"""
