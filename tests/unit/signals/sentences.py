"""Ordinary sentences of five words or more in sixteen languages that are not English."""

FOREIGN: dict[str, tuple[str, ...]] = {
    "spanish": (
        "Mi hermano siempre llega tarde a cenar los domingos",
        "No olvides suscribirte al canal y dejar un comentario",
        "Ayer vimos una película muy divertida en casa",
        "La receta lleva tres huevos y un poco de harina",
        "Este truco te va a cambiar la vida por completo",
    ),
    "german": (
        "Heute zeige ich euch mein neues Fahrrad im Garten",
        "Wir haben gestern den ganzen Tag im Wald verbracht",
        "Kannst du mir bitte sagen, wo der Bahnhof ist?",
        "Das Wetter wird morgen leider wieder viel schlechter",
        "Schreibt mir eure Meinung unten in die Kommentare",
    ),
    "french": (
        "Je vous montre aujourd'hui comment préparer cette soupe",
        "Nous avons passé une très belle journée à la plage",
        "Abonnez-vous à la chaîne pour ne rien rater",
        "Mon chat dort toujours sur le canapé du salon",
        "Il faut que tu voies cette vidéo tout de suite",
    ),
    "portuguese": (
        "Hoje eu vou mostrar como fazer um bolo de cenoura",
        "A minha avó sempre conta histórias muito engraçadas",
        "Não esqueça de deixar o seu comentário no vídeo",
        "Esse jogo foi o melhor que já vi na vida",
        "Amanhã vamos viajar para a praia com os amigos",
    ),
    "italian": (
        "Oggi prepariamo insieme una torta molto semplice",
        "Non dimenticate di iscrivervi al nostro canale",
        "Ieri sera siamo andati a mangiare una pizza in centro",
        "Mio fratello non vuole mai fare i compiti",
        "Questa canzone mi ricorda le vacanze al mare",
    ),
    "dutch": (
        "Vandaag laat ik jullie mijn nieuwe fiets zien",
        "Vergeet niet om je te abonneren op ons kanaal",
        "Wij zijn gisteren met de hele familie naar zee geweest",
        "Mijn broer wil altijd het laatste woord hebben",
        "Kun je mij vertellen waar het station is?",
    ),
    "polish": (
        "Dzisiaj pokażę wam mój nowy rower w ogrodzie",
        "Nie zapomnijcie zasubskrybować naszego kanału",
        "Wczoraj byliśmy całą rodziną nad morzem",
        "Moja babcia zawsze opowiada śmieszne historie",
        "Czy możesz mi powiedzieć, gdzie jest dworzec?",
    ),
    "turkish": (
        "Bugün size yeni bisikletimi göstermek istiyorum",
        "Kanalımıza abone olmayı ve yorum yazmayı unutmayın",
        "Dün bütün aile birlikte denize gittik",
        "Annem her zaman çok güzel yemek yapar",
        "Bana tren istasyonunun nerede olduğunu söyler misin?",
    ),
    "indonesian": (
        "Hari ini saya akan menunjukkan cara membuat kue",
        "Jangan lupa berlangganan saluran kami dan tulis komentar",
        "Kemarin kami sekeluarga pergi ke pantai",
        "Ibu saya selalu memasak makanan yang enak",
        "Bisakah kamu memberi tahu saya di mana stasiun?",
    ),
    "vietnamese": (
        "Hôm nay tôi sẽ chỉ cho các bạn cách làm bánh",
        "Đừng quên đăng ký kênh và để lại bình luận",
        "Hôm qua cả gia đình tôi đã đi biển",
        "Mẹ tôi luôn nấu những món ăn rất ngon",
        "Bạn có thể cho tôi biết nhà ga ở đâu không?",
    ),
    "russian": (
        "Сегодня я покажу вам мой новый велосипед",
        "Не забудьте подписаться на наш канал",
        "Вчера мы всей семьёй ездили на море",
        "Моя бабушка всегда рассказывает смешные истории",
        "Скажите, пожалуйста, где находится вокзал?",
    ),
    "arabic": (
        "اليوم سأعرض عليكم دراجتي الجديدة",
        "لا تنسوا الاشتراك في القناة وترك تعليق",
        "ذهبنا أمس مع العائلة إلى البحر",
        "جدتي تحكي دائما قصصا مضحكة جدا",
        "هل يمكنك أن تخبرني أين المحطة؟",
    ),
    "hindi": (
        "आज मैं आपको अपनी नई साइकिल दिखाऊंगा",
        "हमारे चैनल को सब्सक्राइब करना मत भूलना",
        "कल हम पूरे परिवार के साथ समुद्र गए थे",
        "मेरी दादी हमेशा मज़ेदार कहानियाँ सुनाती हैं",
        "क्या आप मुझे बता सकते हैं स्टेशन कहाँ है?",
    ),
    "chinese": (
        "今天我给大家看看我的新自行车",
        "别忘了订阅我们的频道",
        "昨天我们全家一起去了海边",
        "我奶奶总是讲很有趣的故事",
        "请问火车站在哪里？",
    ),
    "japanese": (
        "今日は新しい自転車をお見せします",
        "チャンネル登録を忘れないでください",
        "昨日は家族みんなで海に行きました",
        "祖母はいつも面白い話をしてくれます",
        "駅はどこにあるか教えてもらえますか",
    ),
    "korean": (
        "오늘은 제 새 자전거를 보여 드릴게요",
        "우리 채널을 구독하는 것을 잊지 마세요",
        "어제 우리 가족은 모두 바다에 갔어요",
        "할머니는 항상 재미있는 이야기를 해 주세요",
        "기차역이 어디에 있는지 알려 주시겠어요?",
    ),
}

# Written after the thresholds: 40 of these 42 were caught then, all after one more rule (a
# certain identifier and no known English word need no other sign).
UNSEEN: dict[str, tuple[str, ...]] = {
    "spanish": (
        "Cómo arreglar un grifo que gotea sin llamar al fontanero",
        "Mira lo que pasa cuando mezclo estos dos colores",
        "Mi perro tiene miedo de los fuegos artificiales",
    ),
    "german": (
        "So repariert man einen tropfenden Wasserhahn ganz einfach",
        "Mein Hund hat große Angst vor Feuerwerk",
        "Schaut mal, was passiert, wenn ich beide Farben mische",
    ),
    "french": (
        "Comment réparer un robinet qui fuit sans plombier",
        "Regardez ce qui arrive quand je mélange ces couleurs",
        "Mon chien a très peur des feux d'artifice",
    ),
    "portuguese": (
        "Como consertar uma torneira que está pingando em casa",
        "Meu cachorro tem muito medo de fogos de artifício",
        "Olha o que acontece quando misturo essas duas cores",
    ),
    "italian": (
        "Come riparare un rubinetto che perde senza idraulico",
        "Il mio cane ha paura dei fuochi d'artificio",
        "Guardate cosa succede quando mescolo questi due colori",
    ),
    "dutch": (
        "Zo repareer je zelf een lekkende kraan in huis",
        "Mijn hond is heel erg bang voor vuurwerk",
        "Kijk wat er gebeurt als ik deze kleuren meng",
    ),
    "polish": (
        "Jak naprawić cieknący kran bez pomocy hydraulika",
        "Mój pies bardzo boi się fajerwerków",
        "Zobaczcie, co się stanie, kiedy zmieszam te kolory",
    ),
    "turkish": (
        "Damlatan musluk evde kolayca nasıl tamir edilir",
        "Köpeğim havai fişeklerden çok korkuyor her zaman",
        "Bakın bu iki rengi karıştırınca ne oluyor",
    ),
    "indonesian": (
        "Cara memperbaiki keran bocor tanpa memanggil tukang",
        "Anjing saya sangat takut dengan kembang api",
        "Lihat apa yang terjadi ketika dua warna ini dicampur",
    ),
    "vietnamese": (
        "Cách sửa vòi nước bị rò rỉ tại nhà",
        "Con chó của tôi rất sợ pháo hoa",
        "Hãy xem điều gì xảy ra khi tôi trộn hai màu này",
    ),
    "russian": ("Моя собака очень боится салютов", "Смотрите, что будет, если смешать эти цвета"),
    "arabic": ("كلبي يخاف كثيرا من الألعاب النارية", "كيف تصلح صنبورا يسرب الماء في البيت"),
    "hindi": ("मेरा कुत्ता पटाखों से बहुत डरता है", "घर पर टपकता नल कैसे ठीक करें"),
    "chinese": ("我的狗很怕放烟花", "看看这两种颜色混在一起会怎么样"),
    "japanese": (
        "うちの犬は花火をとても怖がります",
        "この二つの色を混ぜるとどうなるか見てください",
    ),
    "korean": (
        "우리 강아지는 불꽃놀이를 아주 무서워해요",
        "이 두 가지 색을 섞으면 어떻게 되는지 보세요",
    ),
}
