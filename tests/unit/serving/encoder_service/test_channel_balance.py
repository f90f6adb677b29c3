"""A channel to several model servers, as a name in Kubernetes stands for them."""

from concurrent.futures import ThreadPoolExecutor

import grpc

from serving.encoder_service.remote_encoder import open_channel


def start_server(answer: bytes) -> tuple[grpc.Server, int]:
    handler = grpc.unary_unary_rpc_method_handler(lambda *_: answer)
    server = grpc.server(ThreadPoolExecutor(1))
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("test", {"Ask": handler})])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    return server, port


def test_servers_take_turns_and_a_dead_one_is_left_out() -> None:
    (one, first), (two, second) = start_server(b"one"), start_server(b"two")
    with open_channel(f"ipv4:127.0.0.1:{first},127.0.0.1:{second}") as channel:
        ask = channel.unary_unary("/test/Ask")
        # The first answers may come before the second connection is there.
        grpc.channel_ready_future(channel).result(5)
        answers = [ask(b"", timeout=5) for _ in range(200)]
        assert answers.count(b"one") > 20 and answers.count(b"two") > 20

        one.stop(0).wait()
        # The call that finds the connection broken may fail; those after it do not.
        for _ in range(2):
            try:
                ask(b"", timeout=5)
            except grpc.RpcError as error:
                assert error.code() == grpc.StatusCode.UNAVAILABLE
        assert {ask(b"", timeout=5) for _ in range(20)} == {b"two"}
    two.stop(0).wait()
