import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.header.Header;

/**
 * Reads or writes records as lines of JSON, with Apache Kafka's own client:
 * read BROKERS TOPIC GROUP COUNT, or write BROKERS TOPIC.
 */
public class Client {
  private static final ObjectMapper json = new ObjectMapper();

  public static void main(String[] args) throws Exception {
    Properties p = new Properties();
    p.put("bootstrap.servers", args[1]);
    for (String role : List.of("key", "value")) {
      p.put(role + ".serializer", "org.apache.kafka.common.serialization.StringSerializer");
      p.put(role + ".deserializer", "org.apache.kafka.common.serialization.StringDeserializer");
    }
    if (args[0].equals("read")) {
      read(p, args[2], args[3], Integer.parseInt(args[4]));
    } else {
      write(p, args[2]);
    }
  }

  private static void read(Properties p, String topic, String group, int count) throws Exception {
    p.put("group.id", group);
    p.put("auto.offset.reset", "earliest");
    try (KafkaConsumer<String, String> consumer = new KafkaConsumer<>(p)) {
      consumer.subscribe(List.of(topic));
      while (count > 0) {
        for (ConsumerRecord<String, String> r : consumer.poll(Duration.ofSeconds(1))) {
          ObjectNode line = json.createObjectNode().put("key", r.key()).put("value", r.value()).put("partition", r.partition());
          ArrayNode headers = line.putArray("headers");
          for (Header h : r.headers()) {
            headers.addArray().add(h.key()).add(new String(h.value(), StandardCharsets.UTF_8));
          }
          System.out.println(json.writeValueAsString(line));
          count--;
        }
      }
      consumer.commitSync();
    }
  }

  private static void write(Properties p, String topic) throws Exception {
    try (KafkaProducer<String, String> producer = new KafkaProducer<>(p);
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8))) {
      for (String line = in.readLine(); line != null; line = in.readLine()) {
        JsonNode r = json.readTree(line);
        ProducerRecord<String, String> out = new ProducerRecord<>(topic, r.get("key").asText(), r.get("value").asText());
        for (JsonNode h : r.get("headers")) {
          out.headers().add(h.get(0).asText(), h.get(1).asText().getBytes(StandardCharsets.UTF_8));
        }
        producer.send(out).get();
      }
    }
  }
}
