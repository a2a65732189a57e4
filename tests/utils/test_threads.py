"""BLAS has the threads that it had before they were limited."""

from sklearn_revdist.utils._threads import n_blas_threads, one_blas_thread, thread_pools


def test_limits_may_be_nested_and_end():
    with thread_pools().limit(limits=2, user_api="blas"):
        before = n_blas_threads()
        with one_blas_thread():
            with one_blas_thread():
                assert n_blas_threads() == 1
            assert n_blas_threads() == 1
        assert n_blas_threads() == before
