"""Reads or writes records as lines of JSON, with Confluent's client for Python:
read BROKERS TOPIC GROUP COUNT, or write BROKERS TOPIC."""

import json
import sys

from confluent_kafka import Consumer, KafkaException, Producer


def read(brokers, topic, group, count):
    consumer = Consumer({"bootstrap.servers": brokers, "group.id": group, "auto.offset.reset": "earliest"})
    consumer.subscribe([topic])
    left = int(count)
    while left > 0:
        r = consumer.poll(1.0)
        if r is None:
            continue
        if r.error():
            raise KafkaException(r.error())
        headers = [[k, v.decode()] for k, v in r.headers() or []]
        line = {"key": r.key().decode(), "value": r.value().decode(), "partition": r.partition(), "headers": headers}
        print(json.dumps(line))
        left -= 1
    consumer.commit(asynchronous=False)
    consumer.close()


def write(brokers, topic):
    # librdkafka's own default would put keys into other partitions than Java's client.
    producer = Producer({"bootstrap.servers": brokers, "partitioner": "murmur2_random", "enable.idempotence": True})
    failed = []
    for line in sys.stdin:
        r = json.loads(line)
        headers = [(k, v.encode()) for k, v in r["headers"]]
        producer.produce(topic, r["value"].encode(), r["key"].encode(), headers=headers,
                         on_delivery=lambda error, _: failed.append(error) if error else None)
    producer.flush()
    if failed:
        raise KafkaException(failed[0])


{"read": read, "write": write}[sys.argv[1]](*sys.argv[2:])
